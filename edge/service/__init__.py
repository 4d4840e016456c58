"""The function as a service: started, watched, checked by its golden rows, and measured."""

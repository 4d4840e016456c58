"""A WSGI server of one process and a few threads; of this project it imports only the errors."""

"""The handler and the server beside the least code for the same, and beside other servers."""

"""The user's Python functions of one text, taken over as they are into the front end."""

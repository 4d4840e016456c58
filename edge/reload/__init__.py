"""New versions, taken from the models' folder while it is served."""

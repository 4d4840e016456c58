"""The estimators of other libraries, for `make coverage`: one module for each library."""

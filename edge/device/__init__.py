"""The machine: facts and checks, its folders, and the privileges to use them with."""

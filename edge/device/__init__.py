"""The machine: facts and checks, and its folders."""

"""How much each column of a row pushed its answer away from the background's average."""

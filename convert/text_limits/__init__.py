"""How long texts may be: patterns and steps that are slow on long ones, found by trying."""

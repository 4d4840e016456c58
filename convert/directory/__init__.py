"""What is written into a model directory, and how: whole, or not at all."""

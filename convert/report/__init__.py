"""What a model is good at: figures on held-out rows, and the report that shows them."""

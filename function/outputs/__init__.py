"""What becomes of a graph's numbers after it: names of items, boxes in a picture's pixels, text."""

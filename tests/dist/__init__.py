"""What is installed elsewhere: the wheel, its command and its Python interface."""

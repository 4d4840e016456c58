"""What the tiles of images add: a line of the pixels, of which they are known in closed form."""

"""Every example of docs/gallery.md: built, asked, and looked at."""

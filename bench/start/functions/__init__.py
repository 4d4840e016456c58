"""What our function is compared with on Lambda's runtime; each is copied beside its packages."""

"""What stands in for packages that browsers have not."""

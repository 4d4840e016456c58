"""From model directories to one zip or image for one Python and one architecture; publishing."""

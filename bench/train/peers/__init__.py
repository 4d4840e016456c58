"""What each trains with, in an environment of its own but for ours."""

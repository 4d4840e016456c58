"""What several examples share: pictures that are made up, and graphs of other people's packages."""

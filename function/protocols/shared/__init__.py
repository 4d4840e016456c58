"""What several protocols use: forms of requests and answers, options, images."""

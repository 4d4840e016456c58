"""What is deployed: the Flask app that serves model directories, and its Lambda handler."""

"""How a server runs: as one process, or as several with a supervisor."""

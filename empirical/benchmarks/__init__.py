"""How fast and how small the engine is, against the libraries that people use for the same computation today."""

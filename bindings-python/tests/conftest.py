"""What every test file here has: pytest's own fixture for testing plugins."""

pytest_plugins = ["pytester"]

"""What developers run: setup, embedded servers, checks, tests, sample data."""

"""The SPECs of initializers."""

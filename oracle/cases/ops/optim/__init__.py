"""The SPECs of optimizers."""

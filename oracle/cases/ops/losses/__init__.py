"""The SPECs of losses."""

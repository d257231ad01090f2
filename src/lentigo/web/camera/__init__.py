"""The camera on the server: where pictures come from, and one capture that all viewers share."""

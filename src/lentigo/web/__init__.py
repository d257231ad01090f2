"""The page and the offline app."""

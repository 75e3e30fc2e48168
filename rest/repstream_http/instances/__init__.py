"""The page of a camera server or a pipeline server, and what it asks beside the routes of clients."""

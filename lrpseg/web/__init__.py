"""What speaks HTTP: the routes of the page's editor, and the backend for Label Studio."""

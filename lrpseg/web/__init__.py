"""What speaks HTTP: the page's door, the routes of its editor, the backend for Label Studio."""

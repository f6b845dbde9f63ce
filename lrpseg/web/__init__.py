"""What speaks HTTP: the door of the page, the routes of its editor, the backend for Label Studio."""

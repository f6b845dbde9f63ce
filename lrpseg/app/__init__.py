"""What can be done with pictures: the actions behind page, routes, API and commands."""

"""From this repository to a Hugging Face Space: its folder, and a trial run of it."""

"""From a recipe to a domain's folder: the recipe, the stages, the card and the report."""

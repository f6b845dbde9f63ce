"""Evidence by leaving regions out in turn: methods, each trained on the other regions' pictures."""

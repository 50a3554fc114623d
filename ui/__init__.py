"""What the pages share: widgets, and the way from the store to the screen."""

"""Studies on the screen: which one a page shows, the frame around its tabs, the cards of the home, changing one."""

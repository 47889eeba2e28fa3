"""What is known of a scene: its bounds, its cameras and the paths along them."""

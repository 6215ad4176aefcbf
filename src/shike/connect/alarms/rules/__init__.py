"""What alarms look for: a file a rule."""

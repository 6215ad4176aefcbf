"""Where alarms are told: a file a channel."""

"""The check of code that others bring: functions and layers that say nothing of their kinks, states and dtypes."""

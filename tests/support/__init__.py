"""What tests share beyond fixtures: `from support.strangers import Talker`."""

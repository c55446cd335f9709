"""Can everything that a config names be reached, and is it what the config says?"""

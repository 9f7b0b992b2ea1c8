"""The torch networks of the models, by the model's name; each is imported when it is built."""

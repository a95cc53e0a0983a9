"""Shapes of the interface that clients of OpenAI speak; what is not honoured here is not accepted."""

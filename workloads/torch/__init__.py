"""PyTorch beside deltatrain; users reach this as `deltatrain.torch`, whose file names what there is."""

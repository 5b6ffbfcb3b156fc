module shop.example/peer

go 1.22

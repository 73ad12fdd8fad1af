module lunar.test/load

go 1.19

package health_test

import (
	"fmt"

	"github.com/vantiq-go/connectorsdk/health"
)

func Example() {
	probe := health.NewProbe("127.0.0.1:0") // a real connector says ":8000"
	defer probe.Close()

	fmt.Println(probe.Status(), probe.Addr() != nil)
	if err := probe.DeclareHealthy(); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(probe.Status(), probe.Addr() != nil)
	// Output:
	// undeclared false
	// healthy true
}

// Echo-connector is the connector to copy from. It sends each message that is published to its source back as a
// notification, and answers each query with the query's own parameters.
package main

import "github.com/vantiq-go/connectorsdk/program"

func main() { program.Main(program.Serve(handlers)) }

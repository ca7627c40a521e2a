package protocol

// Operations, as the wire spells them.
const (
	OpValidate           = "validate"           // → Vantiq: object is the auth token
	OpAuthenticate       = "authenticate"       // → Vantiq: object is {"username", "password"}
	OpConnectExtension   = "connectExtension"   // → Vantiq: resourceId is the source, parameters.reconnectSecret proves who asks
	OpConfigureExtension = "configureExtension" // ← Vantiq: object.config is the source configuration
	OpPublish            = "publish"            // ← Vantiq: object is the message
	OpQuery              = "query"              // ← Vantiq: object is the parameters, a header the reply address
	OpNotification       = "notification"       // → Vantiq: object is the event
	OpReconnectRequired  = "reconnectRequired"  // ← Vantiq: connect again, usually on this link
)

// Resources, headers and parameters, as the wire spells them.
const (
	resourceSources     = "sources"
	resourceCredentials = "system.credentials"

	headerReplyAddressIn  = "REPLY_ADDR_HEADER" // in messageHeaders of a query
	headerReplyAddressOut = "X-Reply-Address"   // in headers of its responses

	parameterReconnectSecret = "reconnectSecret"
)
